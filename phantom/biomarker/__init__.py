"""H&E tissue with nests of tumour cells that express markers, of each of which but one it holds a weak sign."""

from histoserve.phantom.biomarker.pair import biomarker_pair
from histoserve.phantom.biomarker.plan import biomarker_slide

drawing = biomarker_slide
pair = biomarker_pair
