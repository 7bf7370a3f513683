"""The guided tour: the main job on real parts, from training to audit."""
