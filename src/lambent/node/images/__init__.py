"""Container images: found by their URI, fetched, unpacked once per digest, kept while functions need them."""
