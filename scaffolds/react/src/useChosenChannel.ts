import { useSyncExternalStore } from "react";

/** The address of a channel within the page. */
export function channelAddress(name: string): string {
  return `#${new URLSearchParams({ channel: name })}`;
}

/** The name of the channel in the address, if there is one. */
export function useChosenChannel(): string | null {
  const hash = useSyncExternalStore(onHashChange, () => window.location.hash);
  return new URLSearchParams(hash.slice(1)).get("channel");
}

function onHashChange(changed: () => void): () => void {
  window.addEventListener("hashchange", changed);
  return () => window.removeEventListener("hashchange", changed);
}
