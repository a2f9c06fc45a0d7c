# what milter adds to the build
