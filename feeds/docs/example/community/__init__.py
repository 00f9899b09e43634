"""The community's feeds, and the page that shows what is new in them."""
