# what test/fuzz adds to the build
