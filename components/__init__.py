"""Parts of a page: widgets, views that draw in the browser, figures."""
