import { ConvexProviderWithAuth, useConvexAuth } from "convex/react";
import { UserManager, WebStorageStateStore } from "oidc-client-ts";
import type { ReactNode } from "react";
import { AuthProvider, useAuth } from "react-oidc-context";
import { convex } from "./convex";

/** Whether somebody is here. `author` goes with every call that needs to know who makes it: here the token says it. */
export type SignIn =
  | { state: "loading" }
  | { state: "out" }
  | { state: "in"; author?: string; leave: () => void };

const users = new UserManager({
  authority: import.meta.env.VITE_OIDC_ISSUER,
  client_id: import.meta.env.VITE_OIDC_CLIENT_ID,
  redirect_uri: `${window.location.origin}/`,
  post_logout_redirect_uri: `${window.location.origin}/`,
  scope: "openid profile email",
  userStore: new WebStorageStateStore({ store: window.localStorage }),
  // The Convex client asks for a new token before the old one expires.
  automaticSilentRenew: false,
});

/** The id token; a new one if the deployment refused the last, or it is about to expire. */
async function fetchAccessToken({ forceRefreshToken }: { forceRefreshToken: boolean }) {
  try {
    const user = forceRefreshToken ? await users.signinSilent() : await users.getUser();
    return user?.id_token ?? null;
  } catch {
    return null;
  }
}

function useOidc() {
  const { isLoading, user } = useAuth();
  return { isLoading, isAuthenticated: user != null, fetchAccessToken };
}

/** Everything below it can talk to the deployment and use `useSignIn`. */
export function SignInProvider({ children }: { children: ReactNode }) {
  // The issuer's answer is in the address: it is of no use twice.
  const forgetAnswer = () => window.history.replaceState({}, "", window.location.pathname);
  return (
    <AuthProvider userManager={users} onSigninCallback={forgetAnswer}>
      <ConvexProviderWithAuth client={convex} useAuth={useOidc}>
        {children}
      </ConvexProviderWithAuth>
    </AuthProvider>
  );
}

/** Who is here: the deployment decides. */
export function useSignIn(): SignIn {
  const { isLoading, isAuthenticated } = useConvexAuth();
  const { removeUser } = useAuth();
  if (isLoading) return { state: "loading" };
  return isAuthenticated ? { state: "in", leave: () => void removeUser() } : { state: "out" };
}

/** What is shown to those who are not signed in. */
export function Entrance() {
  const { signinRedirect, error } = useAuth();
  return (
    <div className="entrance">
      <button type="button" onClick={() => void signinRedirect()}>
        Sign in
      </button>
      {error !== undefined && <p role="alert">{error.message}</p>}
    </div>
  );
}
