# what doc adds to the build
