import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./App";
import { ErrorBoundary } from "./components/ErrorBoundary";
import { SignInProvider } from "./sign-in";
import "./style.css";

const root = document.getElementById("root");
if (root === null) throw new Error("index.html has no #root");

createRoot(root).render(
  <StrictMode>
    <SignInProvider>
      <ErrorBoundary>
        <App />
      </ErrorBoundary>
    </SignInProvider>
  </StrictMode>,
);
