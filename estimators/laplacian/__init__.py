"""Solution of weighted graph Laplacians by elimination without subtraction, with selected entries of the inverse."""
