"""An otherwise empty page: one slider, and one text that changes with it."""

import streamlit as st
import torch

value = st.slider("Value", 0, 1000, key="floor-value")
st.text(f"{value} with torch {torch.__version__}")
