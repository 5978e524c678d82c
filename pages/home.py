"""Home."""

import streamlit as st

st.title("PyTorch Playground")
