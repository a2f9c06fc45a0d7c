# what contrib adds to the build
