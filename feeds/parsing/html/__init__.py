"""HTML of others on its way to the sanitizer: its tokens, the elements that stay, its pictures, frames and texts."""
