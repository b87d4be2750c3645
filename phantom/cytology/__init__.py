"""A cervical smear with lesion cells of known places, and the class that follows from them."""

from histoserve.phantom.cytology.smear import Smear

drawing = Smear
