"""The Streamlit server: launch, sign-in, security headers, health, metrics."""
