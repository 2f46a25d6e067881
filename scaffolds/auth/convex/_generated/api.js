/* eslint-disable */
/**
 * References to the functions of the app: `useQuery(api.messages.list, {})`.
 *
 * Written by `convexpy codegen`. Do not edit.
 */
import { anyApi } from "convex/server";

export const api = anyApi;
export const internal = anyApi;
