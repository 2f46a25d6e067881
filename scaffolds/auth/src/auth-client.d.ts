/** A way to sign in, as the query `auth:providers` lists them. */
export interface AuthProviderInfo {
  id: string;
  kind: "password" | "code" | "link" | "oauth";
  name: string;
}

export interface AuthState {
  readonly status: "loading" | "in" | "out";
  /** Why a code in the page's address did not sign in. */
  readonly error: Error | null;
}

/** What a function refused: `data` is what it raised `ConvexError` with. */
export declare class AuthError extends Error {
  readonly data: { code: string; message: string; [detail: string]: unknown };
}

export interface AuthClientOptions {
  /** The module with `Auth(…)`: "auth". */
  path?: string;
  /** Where tokens are kept: `localStorage`. */
  storage?: Pick<Storage, "getItem" | "setItem" | "removeItem">;
}

/** Sign-in in the browser. Tokens are renewed before they expire, by one tab for all. */
export declare class AuthClient {
  constructor(url: string, options?: AuthClientOptions);
  readonly state: AuthState;
  /** Settled when a code in the page's address has been used. */
  readonly ready: Promise<void>;
  subscribe(listener: () => void): () => void;
  signIn(
    provider: string | undefined,
    params?: Record<string, unknown>,
  ): Promise<{ signedIn?: true; started?: true; redirected?: true }>;
  signOut(): Promise<void>;
  call(kind: "query" | "mutation" | "action", name: string, args?: Record<string, unknown>): Promise<unknown>;
  /** For `ConvexProviderWithAuth` and `setAuth`. */
  fetchAccessToken(options?: { forceRefreshToken?: boolean }): Promise<string | null>;
  /** Ask whether the session goes on; if not, `state` changes. */
  check(): Promise<void>;
}
