/// <reference types="vite/client" />

interface ImportMetaEnv {
  /** Where the deployment is: written to .env.local by `convexpy dev`. */
  readonly VITE_CONVEX_URL: string;
}
