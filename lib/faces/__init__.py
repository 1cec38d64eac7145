"""Face sets: sources, drawn faces, copies, mixing into arms."""
