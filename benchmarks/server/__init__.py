"""The playground's own server with one more page, so that both are measured under the same conditions."""
