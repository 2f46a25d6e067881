/* eslint-disable */
/**
 * References to the functions of the app: `useQuery(api.messages.list, {})`.
 *
 * Written by `convexpy codegen`. Do not edit.
 */
import type { FunctionReference } from "convex/server";
import type { Doc, Id } from "./dataModel.js";

/** Functions that clients may call. */
export declare const api: {
  auth: {
    accounts: FunctionReference<"query", "public", {}, Array<{ provider: string; name: string; isVerified: boolean }>>;
    changeEmail: FunctionReference<"action", "public", { email: string; currentPassword?: string | null; code?: string | null }, Record<string, any>>;
    changePassword: FunctionReference<"action", "public", { currentPassword: string; newPassword: string }, null>;
    deleteAccount: FunctionReference<"action", "public", { currentPassword?: string | null }, null>;
    endSession: FunctionReference<"mutation", "public", { sessionId: string }, null>;
    providers: FunctionReference<"query", "public", {}, Array<{ id: string; kind: string; name: string }>>;
    sessions: FunctionReference<"query", "public", {}, Array<{ id: string; isCurrent: boolean; startedTime: number; usedTime: number; userAgent: string }>>;
    signIn: FunctionReference<"action", "public", { provider?: string | null; params?: Record<string, any> | null; verifier?: string | null; refreshToken?: string | null; calledBy?: string | null }, Record<string, any>>;
    signOut: FunctionReference<"action", "public", {}, null>;
    signOutEverywhere: FunctionReference<"mutation", "public", { keepCurrent?: boolean }, null>;
    unlinkAccount: FunctionReference<"mutation", "public", { provider: string }, null>;
  };
  notes: {
    add: FunctionReference<"mutation", "public", { text: string }, Id<"notes">>;
    list: FunctionReference<"query", "public", {}, Array<Doc<"notes">>>;
    remove: FunctionReference<"mutation", "public", { noteId: Id<"notes"> }, null>;
  };
  users: {
    me: FunctionReference<"query", "public", {}, { name: string | null; email: string | null } | null>;
  };
};

/** Functions that only the app itself may call. */
export declare const internal: {
  auth: {
    authBeginCode: FunctionReference<"mutation", "internal", { code: { kind: "verify" | "reset" | "sign-in" | "link" | "change-email"; email: string; digest: string; lifetime_ms: number; pending?: Record<string, any> } }, { stored: boolean; retry_at: number | null }>;
    authBeginFlow: FunctionReference<"mutation", "internal", { provider: string; verifier: string; redirectTo: string; link: boolean }, string>;
    authBeginPassword: FunctionReference<"mutation", "internal", { email: string }, { retry_at: number | null; secret: string | null; is_verified: boolean }>;
    authCaller: FunctionReference<"query", "internal", {}, { user_id: string; session_id: string; started_at: number; email: string | null } | null>;
    authChangeEmail: FunctionReference<"mutation", "internal", { email: string; digest: string }, string | null>;
    authChangePassword: FunctionReference<"mutation", "internal", { email: string; known: string; secret: string }, boolean>;
    authClaimFlow: FunctionReference<"mutation", "internal", { flow: string; browser: string }, { provider: string; redirect_to: string } | null>;
    authDeleteUser: FunctionReference<"mutation", "internal", {}, null>;
    authEndSession: FunctionReference<"mutation", "internal", {}, null>;
    authFinishFlow: FunctionReference<"mutation", "internal", { flow: string; code: string; profile: Record<string, any> }, null>;
    authFinishPassword: FunctionReference<"mutation", "internal", { email: string; secret: string; session: { family_digest: string; token_digest: string; user_agent?: string }; better?: string | null }, { user_id: string; session_id: string } | null>;
    authRedeem: FunctionReference<"mutation", "internal", { kind: string; email: string; digest: string; session: { family_digest: string; token_digest: string; user_agent?: string }; secret?: string; attempt?: string }, { user_id: string; session_id: string } | null>;
    authRedeemFlow: FunctionReference<"mutation", "internal", { code: string; verifier: string; session: { family_digest: string; token_digest: string; user_agent?: string } }, { user_id: string; session_id: string } | null>;
    authRedeemLink: FunctionReference<"mutation", "internal", { digest: string; session: { family_digest: string; token_digest: string; user_agent?: string } }, { user_id: string; session_id: string } | null>;
    authRotate: FunctionReference<"mutation", "internal", { session_id: string; family: string; token: string; successor: string }, string | null>;
    authSignUp: FunctionReference<"mutation", "internal", { email: string; secret: string; session: { family_digest: string; token_digest: string; user_agent?: string }; name?: string }, { user_id: string; session_id: string } | null>;
    authStartFlow: FunctionReference<"mutation", "internal", { flow: string; browser: string }, string | null>;
  };
};
