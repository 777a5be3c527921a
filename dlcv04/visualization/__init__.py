"""What a network and its data look like: filters, maps of pictures, and where in a picture a class is seen."""
