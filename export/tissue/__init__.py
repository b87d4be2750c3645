"""`tissue`: the network that sorts tiles into normal and abnormal classes, its training and scoring (CN113887377A)."""
