import { ClerkProvider, SignInButton, useAuth, useClerk } from "@clerk/react";
import { useConvexAuth } from "convex/react";
import { ConvexProviderWithClerk } from "convex/react-clerk";
import type { ReactNode } from "react";
import { convex } from "./convex";

/** Whether somebody is here. `author` goes with every call that needs to know who makes it: here the token says it. */
export type SignIn =
  | { state: "loading" }
  | { state: "out" }
  | { state: "in"; author?: string; leave: () => void };

/** Everything below it can talk to the deployment and use `useSignIn`. */
export function SignInProvider({ children }: { children: ReactNode }) {
  return (
    <ClerkProvider publishableKey={import.meta.env.VITE_CLERK_PUBLISHABLE_KEY}>
      <ConvexProviderWithClerk client={convex} useAuth={useAuth}>
        {children}
      </ConvexProviderWithClerk>
    </ClerkProvider>
  );
}

/** Who is here: the deployment decides. */
export function useSignIn(): SignIn {
  const { isLoading, isAuthenticated } = useConvexAuth();
  const { signOut } = useClerk();
  if (isLoading) return { state: "loading" };
  return isAuthenticated ? { state: "in", leave: () => void signOut() } : { state: "out" };
}

/** What is shown to those who are not signed in. */
export function Entrance() {
  return (
    <div className="entrance">
      <SignInButton mode="modal">
        <button type="button">Sign in</button>
      </SignInButton>
    </div>
  );
}
