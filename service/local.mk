# what service adds to the build
