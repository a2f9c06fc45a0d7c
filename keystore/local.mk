# what keystore adds to the build
