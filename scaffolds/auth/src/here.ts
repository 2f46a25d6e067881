/** The address of this page, where providers and links in mail lead back to. */
export const here = () => location.origin + location.pathname;
