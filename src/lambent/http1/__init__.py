"""HTTP/1.1 serving on httptools, without any knowledge of AWS: the edge and the Runtime API share it."""
