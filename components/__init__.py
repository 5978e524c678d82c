<<<<<<< .merge_file_m5a3CU
"""Parts of a page: widgets, views that draw in the browser, figures."""
=======
"""What pages are made of: controls, pickers, panels and browser views."""
>>>>>>> .merge_file_tp3NZT
