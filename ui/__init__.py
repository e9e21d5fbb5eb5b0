"""Streamlit glue that the pages share: chrome, state, words, and the components."""
