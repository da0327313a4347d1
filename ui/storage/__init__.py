"""What the page stores: chats, feedback, uploads, collections."""
