"""The verdict: should these generated images be trained on? From two folders to one sentence."""
