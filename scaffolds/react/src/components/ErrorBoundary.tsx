import { Component, type ReactNode } from "react";
import { messageOf } from "../errors";

/** Shows why a query failed, in place of what it was for. */
export class ErrorBoundary extends Component<{ children: ReactNode }, { error: unknown }> {
  state = { error: undefined };

  static getDerivedStateFromError(error: unknown) {
    return { error };
  }

  render() {
    if (this.state.error === undefined) return this.props.children;
    return (
      <div className="waiting" role="alert">
        <p>{messageOf(this.state.error)}</p>
        <button onClick={() => this.setState({ error: undefined })}>Try again</button>
      </div>
    );
  }
}
