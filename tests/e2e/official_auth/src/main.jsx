import { ConvexAuthProvider, useAuthActions } from "@convex-dev/auth/react";
import { ConvexReactClient, useConvexAuth, useQuery } from "convex/react";
import { anyApi } from "convex/server";
import { createElement as h } from "react";
import { createRoot } from "react-dom/client";

const convex = new ConvexReactClient(import.meta.env.VITE_CONVEX_URL);
const ADA = { email: "ada@example.com", password: "correct horse battery" };

function App() {
  const { isLoading, isAuthenticated } = useConvexAuth();
  const { signIn, signOut } = useAuthActions();
  const me = useQuery(anyApi.notes.me, isAuthenticated ? {} : "skip");
  const button = (name, act) => h("button", { onClick: () => void act() }, name);
  return h(
    "div",
    null,
    h("p", { role: "status" }, isLoading ? "loading" : isAuthenticated ? `in: ${me?.email}` : "out"),
    button("sign up", () => signIn("password", { flow: "signUp", ...ADA })),
    button("sign in", () => signIn("password", { flow: "signIn", ...ADA })),
    button("GitHub", () => signIn("github", { redirectTo: `${location.origin}/` })),
    button("sign out", signOut),
  );
}

createRoot(document.getElementById("root")).render(h(ConvexAuthProvider, { client: convex }, h(App)));
