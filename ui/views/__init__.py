"""What the pages show, as pure functions and records that do not import streamlit."""
