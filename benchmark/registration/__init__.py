"""How well `histoserve register` lays two stains on each other, against other ways and the best matrix there is."""
