# what recrypt adds to the build
