import { ConvexProviderWithAuth } from "convex/react";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./App";
import { useAuthForConvex } from "./auth";
import { convex } from "./convex";
import "./style.css";

const root = document.getElementById("root");
if (root === null) throw new Error("index.html has no #root");

createRoot(root).render(
  <StrictMode>
    <ConvexProviderWithAuth client={convex} useAuth={useAuthForConvex}>
      <App />
    </ConvexProviderWithAuth>
  </StrictMode>,
);
