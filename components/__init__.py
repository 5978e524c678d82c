"""What pages are made of: controls, pickers, panels and browser views."""
