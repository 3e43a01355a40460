"""What the entries of the window do: each desk joins the window's signals to the services behind."""
