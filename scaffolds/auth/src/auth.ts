import { useCallback, useSyncExternalStore } from "react";
import { AuthClient, type AuthState } from "./auth-client.js";

/** Sign-in of this page. */
export const auth = new AuthClient(import.meta.env.VITE_CONVEX_URL);

/** Whether somebody is signed in, as the browser knows it. */
export function useAuthState(): AuthState {
  return useSyncExternalStore(auth.subscribe, () => auth.state);
}

/** For `ConvexProviderWithAuth`. */
export function useAuthForConvex() {
  const { status } = useAuthState();
  const fetchAccessToken = useCallback(
    (options: { forceRefreshToken: boolean }) => auth.fetchAccessToken(options),
    [],
  );
  return { isLoading: status === "loading", isAuthenticated: status === "in", fetchAccessToken };
}
