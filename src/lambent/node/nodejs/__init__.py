"""Files of the Node.js runtimes: what ``lambent runtimes add`` puts beside AWS's ``aws-lambda-ric``."""
