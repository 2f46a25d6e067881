"""What the loader of an app needs: its files, which of them need which, and the limits of an import."""
