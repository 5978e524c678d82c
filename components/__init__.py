"""What pages are made of: controls, pickers, panels, figures and browser views."""
