import { useConvexConnectionState } from "convex/react";

/** Says whether what is shown is live, and whether something is still on its way. */
export function ConnectionState() {
  const { isWebSocketConnected, hasEverConnected, inflightMutations } = useConvexConnectionState();
  const state = isWebSocketConnected ? "live" : hasEverConnected ? "reconnecting" : "connecting";
  const waiting = inflightMutations > 0 ? `, ${inflightMutations} to send` : "";
  return (
    <p className="connection" data-state={state} role="status">
      {state + waiting}
    </p>
  );
}
