"""Weight files in every layout that users of Wan and VividFace have: opened, recognised, checked and loaded."""
