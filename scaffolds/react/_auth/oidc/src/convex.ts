import { ConvexReactClient } from "convex/react";

/**
 * The one connection to the deployment. The token of the last visit is used for as long as it is valid: asking the
 * issuer for a new one at every load would end in a sign-out where it does not answer.
 */
export const convex = new ConvexReactClient(import.meta.env.VITE_CONVEX_URL, { initialAuthTokenReuse: true });
