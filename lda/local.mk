# what lda adds to the build
