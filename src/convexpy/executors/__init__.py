"""The server's end of the processes that run app code: starting them, their streams of frames, and their ends."""
