import { ConvexReactClient } from "convex/react";

/** The one connection to the deployment. */
export const convex = new ConvexReactClient(import.meta.env.VITE_CONVEX_URL);
