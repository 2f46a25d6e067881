/// <reference types="vite/client" />

interface ImportMetaEnv {
  /** Where the deployment is: written to .env.local by `convexpy dev`. */
  readonly VITE_CONVEX_URL: string;
  /** The issuer of the tokens, as in auth_config.py. */
  readonly VITE_OIDC_ISSUER: string;
  /** The application that the tokens are for, as in auth_config.py. */
  readonly VITE_OIDC_CLIENT_ID: string;
}
